//! What every controller is given: clients, shared informers, workers and options.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;

use crate::api::auth::AUTHENTICATED;
use crate::api::events::EventRecorder;
use crate::api::views::Pod;
use crate::api::views::pod::State;
use crate::api::{
    ApiServer, Client, Informer, ListOptions, Object, ObjectKey, PatchType, Resource, Status, User, WriteOptions,
};
use crate::flat::{FlatMap, FlatSet, WideMap};
use crate::sim::{Sim, TaskHandle, WorkQueue};
use crate::value::Value;

/// What a sync spends on one object that it lists, claims and counts: an estimate of Go's, on a machine
/// that runs the rest of the control plane too.
const TIME_AN_OBJECT: Duration = Duration::from_micros(5);

/// The service account in `kube-system` that a controller acts as
/// (`--use-service-account-credentials`, as kubeadm sets it): mostly its own name.
fn account(controller: &str) -> &str {
    match controller {
        "daemonset-controller" => "daemon-set-controller",
        "endpoint-slice-controller" => "endpointslice-controller",
        "endpoint-slice-mirroring-controller" => "endpointslicemirroring-controller",
        "persistentvolume-binder-controller" => "persistent-volume-binder",
        "persistentvolume-protection-controller" => "pv-protection-controller",
        "persistentvolumeclaim-protection-controller" => "pvc-protection-controller",
        "node-lifecycle-controller" | "taint-eviction-controller" => "node-controller",
        name => name,
    }
}

/// After a definition of a custom resource, until its objects are watched.
const DISCOVERY: Duration = Duration::from_secs(1);

/// Called with each resource that controllers follow.
type Follower = Rc<dyn Fn(&Rc<Resource>)>;

/// How kube-controller-manager is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names of controllers that do not run, as `--controllers=-NAME` turns them off.
    pub disabled: FlatSet<String>,
    /// How often nodes are checked (`--node-monitor-period`).
    pub node_monitor_period: Duration,
    /// How long a node may be silent before it is Unknown (`--node-monitor-grace-period`).
    pub node_monitor_grace_period: Duration,
    /// How many keys a controller works on at a time (`--concurrent-deployment-syncs` and the like).
    pub concurrent_syncs: usize,
    /// The cluster's root certificate, for each namespace's `kube-root-ca.crt`.
    pub root_ca: Rc<str>,
    /// Finished pods are deleted above this number (`--terminated-pod-gc-threshold`).
    pub terminated_pod_threshold: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            disabled: FlatSet::new(),
            node_monitor_period: Duration::from_secs(5),
            node_monitor_grace_period: Duration::from_secs(50),
            concurrent_syncs: 5,
            root_ca: "".into(),
            terminated_pod_threshold: 12_500,
        }
    }
}

/// Handed to each controller. Clones share everything.
#[derive(Clone)]
pub struct Context(Rc<Inner>);

struct Inner {
    api: ApiServer,
    informers: Informers,
    options: Options,
    tasks: RefCell<Vec<TaskHandle>>,
    followers: RefCell<Vec<Follower>>,
    /// Resources that the followers know, by group and plural, each in one version.
    followed: RefCell<FlatMap<(Rc<str>, Rc<str>), Rc<Resource>>>,
}

/// Whether objects of a resource can be followed: events own nothing, are owned by nobody and are not counted.
fn can_follow(resource: &Resource) -> bool {
    !resource.name.contains('/')
        && ["list", "watch", "delete"].iter().all(|v| resource.can(v))
        && &*resource.name != "events"
}

impl Context {
    /// The context of kube-controller-manager itself.
    pub fn new(api: &ApiServer, options: Options) -> Context {
        Context::named(api, options, "kube-controller-manager")
    }

    /// The context of the controllers of another component.
    pub fn named(api: &ApiServer, options: Options, component: &'static str) -> Context {
        let user = if component == "kube-controller-manager" {
            User::new("system:kube-controller-manager", [AUTHENTICATED])
        } else {
            User::system(component)
        };
        let client = Client::new(api, component, user);
        Context(Rc::new(Inner {
            api: api.clone(),
            informers: Informers::new(&client),
            options,
            tasks: RefCell::default(),
            followers: RefCell::default(),
            followed: RefCell::default(),
        }))
    }

    /// The clock that everything waits on.
    pub fn sim(&self) -> &Sim {
        self.0.api.sim()
    }

    /// The server itself, for what only it knows (ARCHITECTURE.md, "No back door"); all else goes through
    /// [`Context::client`].
    pub fn api(&self) -> &ApiServer {
        &self.0.api
    }

    /// How the component was started.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The informers that all controllers of the component share.
    pub fn informers(&self) -> &Informers {
        &self.0.informers
    }

    /// A client that acts for the controller of this name, as its service account. What has none
    /// (what is part of the API server, or stands for a program beside the cluster) may do anything.
    pub fn client(&self, name: &str) -> Client {
        let key = ObjectKey::new("kube-system", account(name));
        let user = match self.0.api.store().get("serviceaccounts", &key) {
            Some(_) => User::service_account(&key.namespace, &key.name),
            None => User::system(name),
        };
        Client::new(&self.0.api, name, user).part_of("kube-controller-manager")
    }

    /// Writes the events of the controller that `client` acts for, under `component`.
    pub fn recorder(&self, client: &Client, component: &str) -> EventRecorder {
        EventRecorder::new(client, component, "")
    }

    /// Calls `f` with every resource whose objects come, go and own each other (one version of each): with
    /// those that are served now, and with others when a definition makes them served.
    pub fn each_resource(&self, f: impl Fn(&Rc<Resource>) + 'static) {
        let f: Follower = Rc::new(f);
        let known: Vec<Rc<Resource>> = self.0.followed.borrow().values().cloned().collect();
        for resource in &known {
            f(resource);
        }
        let first = self.0.followers.borrow().is_empty();
        self.0.followers.borrow_mut().push(f);
        if !first {
            return;
        }
        self.discover();
        // Custom resources come and go.
        let definitions = resource(self.api(), "apiextensions.k8s.io", "customresourcedefinitions");
        let cx = self.clone();
        self.informers().of(&definitions).on_change(move |_, _| {
            let later = cx.clone();
            cx.spawn("discovery", async move {
                later.sim().sleep(DISCOVERY).await;
                later.discover();
            });
        });
    }

    /// Forgets what is no longer served, or not in the version that was followed, and tells the followers
    /// of what is new.
    fn discover(&self) {
        let served = self.api().resources();
        let gone: Vec<(Rc<str>, Rc<str>)> = {
            let followed = self.0.followed.borrow();
            let is_served = |had: &Resource| {
                served
                    .iter()
                    .any(|r| r.group == had.group && r.name == had.name && r.version == had.version)
            };
            let gone = followed.iter().filter(|(_, had)| !is_served(had));
            gone.map(|(key, _)| key.clone()).collect()
        };
        for key in gone {
            self.informers().forget(&key.0, &key.1);
            self.0.followed.borrow_mut().remove(&key);
        }
        let followers = self.0.followers.borrow().clone();
        for resource in served.iter().filter(|r| can_follow(r)) {
            let key = (resource.group.clone(), resource.name.clone());
            if self.0.followed.borrow().contains_key(&key) {
                continue;
            }
            self.0.followed.borrow_mut().insert(key, resource.clone());
            for f in &followers {
                f(resource);
            }
        }
    }

    /// Starts a task that ends with the controllers.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + 'static) {
        let handle = self.sim().spawn(name, future);
        let mut tasks = self.0.tasks.borrow_mut();
        // Short tasks come and go; the list is kept as long as what still runs.
        if tasks.len() >= 256 {
            tasks.retain(|t| !t.is_finished());
        }
        tasks.push(handle);
    }

    /// Starts `workers` tasks that take keys from `queue`, once `informers` hold their first lists.
    /// A key whose `sync` fails comes back after a growing delay.
    pub fn run(
        &self,
        name: &'static str,
        queue: &WorkQueue<ObjectKey>,
        workers: usize,
        informers: Vec<Informer>,
        sync: impl AsyncFn(ObjectKey) -> Result<(), Status> + 'static,
    ) {
        let sync = Rc::new(sync);
        let sync = move |key| -> LocalBoxFuture<'static, Result<(), Status>> {
            let sync = sync.clone();
            Box::pin(async move { sync(key).await })
        };
        self.start_workers(name, queue, workers, informers.into(), Rc::new(sync));
    }

    /// The workers of [`Context::run`], whose code is there once.
    fn start_workers(
        &self,
        name: &'static str,
        queue: &WorkQueue<ObjectKey>,
        workers: usize,
        informers: Rc<[Informer]>,
        sync: Rc<dyn Fn(ObjectKey) -> LocalBoxFuture<'static, Result<(), Status>>>,
    ) {
        for _ in 0..workers.max(1) {
            let (queue, sync, informers) = (queue.clone(), sync.clone(), informers.clone());
            self.spawn(name, async move {
                for informer in informers.iter() {
                    informer.synced().await;
                }
                loop {
                    let key = queue.next().await;
                    match sync(key.clone()).await {
                        Ok(()) => queue.forget(&key),
                        Err(_) => queue.add_rate_limited(key.clone()),
                    }
                    queue.done(&key);
                }
            });
        }
    }

    /// Lets the time pass that a sync over so many objects takes, when it is worth a millisecond.
    ///
    /// A real controller is busy meanwhile, and the changes that come in become one next sync. In no
    /// time at all, each of 10,000 pods' changes would be a sync over 10,000 pods.
    pub async fn busy_with(&self, objects: usize) {
        let time = TIME_AN_OBJECT * u32::try_from(objects).unwrap_or(u32::MAX);
        if time >= Duration::from_millis(1) {
            self.sim().sleep(time).await;
        }
    }

    /// Ends every task and informer.
    pub fn stop(&self) {
        for task in self.0.tasks.borrow_mut().drain(..) {
            task.abort();
        }
        self.0.informers.stop();
    }
}

/// What most controllers have: a client and an event recorder of their own, the objects that they reconcile, and
/// the queue of those objects' keys.
pub struct Base {
    name: &'static str,
    /// The clock.
    pub sim: Sim,
    /// Asks as the controller's service account.
    pub client: Client,
    /// Writes events by the controller's name, unless it has another one for them.
    pub recorder: EventRecorder,
    /// Of what is reconciled.
    pub resource: Rc<Resource>,
    /// What is reconciled, as the informer has it.
    pub objects: Informer,
    /// The keys that the workers take.
    pub queue: WorkQueue<ObjectKey>,
}

impl Base {
    /// For the controller of this name, which reconciles a resource.
    pub fn new(context: &Context, name: &'static str, group: &str, plural: &str) -> Base {
        let client = context.client(name);
        let resource = resource(context.api(), group, plural);
        Base {
            name,
            sim: context.sim().clone(),
            recorder: context.recorder(&client, name),
            client,
            objects: context.informers().of(&resource),
            resource,
            queue: WorkQueue::new(context.sim()),
        }
    }

    /// The object of the reconciled kind that controls another one.
    pub fn owner_of(&self, object: &Object) -> Option<Object> {
        let owner = object.controller().filter(|o| o.kind() == &*self.resource.kind)?;
        let found = self.objects.get(&ObjectKey::new(object.namespace(), owner.name()))?;
        (found.uid() == owner.uid()).then_some(found)
    }

    /// Writes the status of an object, unless it has it already. One that is gone needs none.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn write_status(&self, object: &Object, status: Value) -> Result<(), Status> {
        if &status == object.status() {
            return Ok(());
        }
        let mut value = object.value().clone();
        value.set(&["status"], status);
        Status::ignore_not_found(self.client.update_status(&self.resource, value).await)
    }

    /// Applies what `manager` is to own of a cluster-scoped object, or of a part of it, whoever owns it now.
    ///
    /// # Errors
    /// The API's failure.
    pub async fn apply(&self, manager: &str, part: &str, config: Value) -> Result<(), Status> {
        let options = WriteOptions {
            field_manager: manager.into(),
            force: true,
            ..WriteOptions::default()
        };
        let name = config.str_at(&["metadata", "name"]).to_owned();
        let (resource, kind) = (&self.resource, PatchType::Apply);
        let applied = self.client.patch(resource, "", &name, part, kind, config, &options);
        applied.await.map(|_| ())
    }

    /// Starts the workers, which wait until `others` hold their first lists too.
    pub fn run(
        &self,
        context: &Context,
        workers: usize,
        others: &[&Informer],
        sync: impl AsyncFn(ObjectKey) -> Result<(), Status> + 'static,
    ) {
        let mut synced = vec![self.objects.clone()];
        synced.extend(others.iter().map(|informer| (*informer).clone()));
        context.run(self.name, &self.queue, workers, synced, sync);
    }
}

/// One informer per resource, begun when first asked for, and indexes over some.
#[derive(Clone)]
pub struct Informers(Rc<InformersInner>);

struct InformersInner {
    client: Client,
    informers: RefCell<FlatMap<(Rc<str>, Rc<str>), Informer>>,
    owners: RefCell<FlatMap<(Rc<str>, Rc<str>), OwnerIndex>>,
}

impl Informers {
    /// None yet; they will list and watch as `client`.
    pub fn new(client: &Client) -> Informers {
        Informers(Rc::new(InformersInner {
            client: client.clone(),
            informers: RefCell::default(),
            owners: RefCell::default(),
        }))
    }

    /// The informer of a resource.
    pub fn of(&self, resource: &Rc<Resource>) -> Informer {
        let key = (resource.group.clone(), resource.name.clone());
        if let Some(informer) = self.0.informers.borrow().get(&key) {
            return informer.clone();
        }
        let informer = Informer::start(&self.0.client, resource, ListOptions::default());
        self.0.informers.borrow_mut().insert(key, informer.clone());
        informer
    }

    /// Ends the informer of a resource that is no longer served.
    pub fn forget(&self, group: &Rc<str>, name: &Rc<str>) {
        let key = (group.clone(), name.clone());
        self.0.owners.borrow_mut().remove(&key);
        if let Some(informer) = self.0.informers.borrow_mut().remove(&key) {
            informer.stop();
        }
    }

    /// The index of a resource's objects by the uid of their controller.
    pub fn by_owner(&self, resource: &Rc<Resource>) -> OwnerIndex {
        let key = (resource.group.clone(), resource.name.clone());
        if let Some(index) = self.0.owners.borrow().get(&key) {
            return index.clone();
        }
        let index = OwnerIndex::new(&self.of(resource), resource);
        self.0.owners.borrow_mut().insert(key, index.clone());
        index
    }

    /// Ends the copying of all.
    pub fn stop(&self) {
        for informer in self.0.informers.borrow().values() {
            informer.stop();
        }
    }
}

/// An informer's objects by the uid of the owner that controls them.
#[derive(Clone)]
pub struct OwnerIndex {
    informer: Informer,
    /// Uid (empty for none) → objects.
    owned: Rc<RefCell<FlatMap<Rc<str>, Owned>>>,
}

/// The objects of one owner.
type Owned = WideMap<ObjectKey, Held>;

/// An object of an owner, with what its owner asks of each of its objects in every sync. To follow ten thousand
/// objects to where that lies in memory takes most of a sync's time, so it lies in the index.
pub struct Held {
    object: Object,
    /// The object's labels.
    pub labels: Value,
    /// A pod's state. It says nothing of objects of other kinds.
    pub state: State,
}

impl Held {
    fn new(object: &Object, is_pod: bool) -> Held {
        Held {
            object: object.clone(),
            labels: object.labels().clone(),
            state: if is_pod { Pod(object).state() } else { State::default() },
        }
    }
}

/// The uid of what controls an object; empty for nothing.
fn owner(object: &Object) -> &str {
    object.controller().map_or("", |c| c.uid())
}

impl OwnerIndex {
    fn new(informer: &Informer, resource: &Resource) -> OwnerIndex {
        let owned: Rc<RefCell<FlatMap<Rc<str>, Owned>>> = Rc::default();
        let map = owned.clone();
        let is_pod = &*resource.kind == "Pod";
        informer.on_change(move |old, new| {
            let (before, after) = (old.map(owner), new.map(owner));
            let mut map = map.borrow_mut();
            if before != after
                && let (Some(old), Some(uid)) = (old, before)
                && let Some(objects) = map.get_mut(uid)
            {
                objects.remove(&old.key());
                if objects.is_empty() {
                    map.remove(uid);
                }
            }
            if let (Some(new), Some(uid)) = (new, after) {
                let objects = match map.get_mut(uid) {
                    Some(objects) => objects,
                    None => map.entry(uid.into()).or_default(),
                };
                objects.insert(new.key(), Held::new(new, is_pod));
            }
        });
        OwnerIndex {
            informer: informer.clone(),
            owned,
        }
    }

    /// The informer whose objects these are.
    pub fn informer(&self) -> &Informer {
        &self.informer
    }

    /// What the object of this uid controls, in the order of keys.
    pub fn owned(&self, uid: &str) -> Vec<Object> {
        let owned = self.owned.borrow();
        let found = owned.get(uid).into_iter().flat_map(Owned::values);
        found.map(|held| held.object.clone()).collect()
    }

    /// Calls `f` for each object that the object of this uid controls, in the order of keys. `f` must not change
    /// what the informer holds.
    pub fn each_owned(&self, uid: &str, f: impl FnMut(&Held)) {
        let owned = self.owned.borrow();
        owned.get(uid).into_iter().flat_map(Owned::values).for_each(f);
    }

    /// How many objects the object of this uid controls.
    pub fn count(&self, uid: &str) -> usize {
        self.owned.borrow().get(uid).map_or(0, Owned::len)
    }

    /// What nobody controls in a namespace.
    pub fn orphans(&self, namespace: &str) -> Vec<Object> {
        let owned = self.owned.borrow();
        let from = ObjectKey::new(namespace, "");
        let found = owned.get("").into_iter().flat_map(|objects| objects.starting_at(&from));
        found
            .take_while(|(key, _)| &*key.namespace == namespace)
            .map(|(_, held)| held.object.clone())
            .collect()
    }
}

/// The built-in resource of a group and plural.
pub fn resource(api: &ApiServer, group: &str, name: &str) -> Rc<Resource> {
    api.built_in(group, name)
}
