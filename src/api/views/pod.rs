//! A view of pods and their containers.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use crate::api::Object;
use crate::api::quantity::Quantity;
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::{Time, seconds};
use crate::value::{Value, intern};

/// A pod.
#[derive(Clone, Copy)]
pub struct Pod<'a>(pub &'a Object);

/// A container of a pod's spec.
#[derive(Clone, Copy)]
pub struct Container<'a>(pub &'a Value);

/// An item of `status.containerStatuses` and its kin.
#[derive(Clone, Copy)]
pub struct ContainerStatus<'a>(pub &'a Value);

/// Amounts of resources, in the units that the scheduler counts in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a processor.
    pub milli_cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub ephemeral_storage: i64,
    /// Every other resource by its name, sorted.
    pub other: Vec<(Rc<str>, i64)>,
}

/// What is worked out once per version of a pod.
struct Summary {
    state: State,
    /// What it asks for, worked out when first asked for.
    requests: OnceCell<Box<Resources>>,
    /// The same by its spec alone.
    asked: OnceCell<Box<Resources>>,
    row: OnceCell<Box<Row>>,
}

/// What a Table's row says of this version of a pod, whatever the time.
pub struct Row {
    /// The cells, of which some change with time.
    pub cells: Vec<Value>,
    /// How often containers were started again.
    pub restarts: i64,
    /// When a container last ended and was started again, if one was.
    pub last_restart: Option<Time>,
    /// When the pod was made.
    pub created: Time,
}

/// What controllers ask of each of their pods in every sync.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// Whether it ended for good: `Succeeded` or `Failed`.
    pub ended: bool,
    /// Whether its deletion was asked for.
    pub deleting: bool,
    /// Whether its condition `Ready` is true, and since when as far as it says.
    pub ready: Option<Option<Time>>,
}

impl State {
    /// Neither ended nor being deleted (`controller.IsPodActive`).
    pub fn is_active(self) -> bool {
        !self.ended && !self.deleting
    }

    /// Being deleted, and not ended yet (`controller.IsPodTerminating`).
    pub fn is_terminating(self) -> bool {
        !self.ended && self.deleting
    }

    /// When it is available, having been ready for `min_ready_seconds`; `None` when it is not ready, or does not say
    /// since when (`podutil.IsPodAvailable`).
    fn available_at(self, min_ready_seconds: i64) -> Option<Time> {
        Some(self.ready?? + seconds(min_ready_seconds))
    }

    /// Whether it has been ready for `min_ready_seconds`.
    pub fn is_available(self, min_ready_seconds: i64, now: Time) -> bool {
        let ready_long_enough = || self.available_at(min_ready_seconds).is_some_and(|when| when <= now);
        self.ready.is_some() && (min_ready_seconds <= 0 || ready_long_enough())
    }

    /// How long until it is available; `None` when it is, or is not ready.
    pub fn available_in(self, min_ready_seconds: i64, now: Time) -> Option<Duration> {
        let when = self.available_at(min_ready_seconds).filter(|_| min_ready_seconds > 0);
        when.filter(|when| *when > now).map(|when| when.since(now))
    }
}

impl Resources {
    /// Reads a `ResourceList`.
    pub fn read(list: &Value) -> Resources {
        Resources::of(&amounts(list))
    }

    /// Counts amounts in the scheduler's units.
    pub fn of(amounts: &Amounts) -> Resources {
        let mut r = Resources::default();
        for (name, q) in amounts {
            r.set(name, if name == "cpu" { q.milli_value() } else { q.value() });
        }
        r
    }

    /// The amount of a resource (cpu in thousandths).
    pub fn get(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.milli_cpu,
            "memory" => self.memory,
            "ephemeral-storage" => self.ephemeral_storage,
            _ => self.other.iter().find(|(n, _)| &**n == name).map_or(0, |(_, v)| *v),
        }
    }

    /// Sets the amount of a resource (cpu in thousandths).
    pub fn set(&mut self, name: &str, amount: i64) {
        match name {
            "cpu" => self.milli_cpu = amount,
            "memory" => self.memory = amount,
            "ephemeral-storage" => self.ephemeral_storage = amount,
            _ => match self.other.binary_search_by(|(n, _)| (**n).cmp(name)) {
                Ok(i) => self.other[i].1 = amount,
                Err(i) => self.other.insert(i, (intern(name), amount)),
            },
        }
    }

    /// The names and amounts that are not 0.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        [
            ("cpu", self.milli_cpu),
            ("memory", self.memory),
            ("ephemeral-storage", self.ephemeral_storage),
        ]
        .into_iter()
        .chain(self.other.iter().map(|(n, v)| (&**n, *v)))
        .filter(|(_, v)| *v != 0)
    }

    /// Adds each amount; what would overflow stays at the most.
    pub fn add(&mut self, other: &Resources) {
        for (name, amount) in other.iter() {
            self.set(name, self.get(name).saturating_add(amount));
        }
    }

    /// Takes each amount away; the rest may be negative.
    pub fn subtract(&mut self, other: &Resources) {
        for (name, amount) in other.iter() {
            self.set(name, self.get(name).saturating_sub(amount));
        }
    }
}

/// Sets a condition in a pod's `status`: it stays where it is among the others, and its time moves only when its
/// status does (`UpdatePodCondition`).
pub fn set_condition(pod: &mut Value, condition: Value, now: Time) {
    let generation = pod.at(&["metadata", "generation"]).clone();
    let conditions = pod.at_mut(&["status", "conditions"]).list_mut();
    place_condition(conditions, condition, &generation, now);
}

fn place_condition(conditions: &mut Vec<Value>, mut condition: Value, generation: &Value, now: Time) {
    let place = conditions.iter_mut().find(|c| c.get("type") == condition.get("type"));
    let since = match &place {
        Some(old) if old.get("status") == condition.get("status") => old.get("lastTransitionTime").clone(),
        _ => now.into(),
    };
    condition.set(&["lastTransitionTime"], since);
    condition.set(&["lastProbeTime"], Value::Null);
    if !generation.is_null() {
        condition.set(&["observedGeneration"], generation.clone());
    }
    match place {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

impl<'a> Pod<'a> {
    /// Its conditions, with the one that says that it is to end for a reason outside of it.
    pub fn disrupted(self, reason: &str, message: &str, now: Time) -> Vec<Value> {
        let condition = obj! {
            "message": message,
            "reason": reason,
            "status": "True",
            "type": "DisruptionTarget",
        };
        let mut conditions = self.0.status().get("conditions").items().to_vec();
        let generation = self.0.at(&["metadata", "generation"]);
        place_condition(&mut conditions, condition, generation, now);
        conditions
    }

    /// The pod's object.
    pub fn object(self) -> &'a Object {
        self.0
    }

    /// `spec`.
    pub fn spec(self) -> &'a Value {
        self.0.spec()
    }

    /// Empty while the pod is not bound.
    pub fn node_name(self) -> &'a str {
        self.spec().get("nodeName").str()
    }

    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub fn phase(self) -> &'a str {
        self.0.status().get("phase").str()
    }

    /// Whether it ended for good: `Succeeded` or `Failed`.
    pub fn is_terminal(self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// Whether it neither ended nor is ending (`IsPodActive`).
    pub fn is_active(self) -> bool {
        !self.is_terminal() && !self.0.is_deleting()
    }

    /// Whether its condition `Ready` is true.
    pub fn is_ready(self) -> bool {
        self.condition_is_true("Ready")
    }

    /// Whether it is bound to a node.
    pub fn is_scheduled(self) -> bool {
        !self.node_name().is_empty()
    }

    /// Whether it has a condition of a type, and with the status `True`.
    pub fn condition_is_true(self, kind: &str) -> bool {
        self.0.condition(kind).is_some_and(|c| c.get("status").str() == "True")
    }

    /// Since when a condition is what it is.
    pub fn condition_since(self, kind: &str) -> Option<Time> {
        Time::parse(self.0.condition(kind)?.get("lastTransitionTime").str())
    }

    /// `spec.containers`, in their order.
    pub fn containers(self) -> impl DoubleEndedIterator<Item = Container<'a>> + ExactSizeIterator {
        self.spec().get("containers").items().iter().map(Container)
    }

    /// `spec.initContainers`, sidecars among them, in their order.
    pub fn init_containers(self) -> impl DoubleEndedIterator<Item = Container<'a>> + ExactSizeIterator {
        self.spec().get("initContainers").items().iter().map(Container)
    }

    /// `spec.ephemeralContainers`, in their order.
    pub fn ephemeral_containers(self) -> impl DoubleEndedIterator<Item = Container<'a>> + ExactSizeIterator {
        self.spec().get("ephemeralContainers").items().iter().map(Container)
    }

    /// A container of any sort by its name.
    pub fn container(self, name: &str) -> Option<Container<'a>> {
        self.containers()
            .chain(self.init_containers())
            .chain(self.ephemeral_containers())
            .find(|c| c.name() == name)
    }

    /// `status.containerStatuses`; empty until a kubelet has written them.
    pub fn container_statuses(self) -> impl DoubleEndedIterator<Item = ContainerStatus<'a>> + ExactSizeIterator {
        self.0
            .status()
            .get("containerStatuses")
            .items()
            .iter()
            .map(ContainerStatus)
    }

    /// `status.initContainerStatuses`; empty until a kubelet has written them.
    pub fn init_container_statuses(self) -> impl DoubleEndedIterator<Item = ContainerStatus<'a>> + ExactSizeIterator {
        self.0
            .status()
            .get("initContainerStatuses")
            .items()
            .iter()
            .map(ContainerStatus)
    }

    /// The status of a container of any sort by its name.
    pub fn container_status(self, name: &str) -> Option<ContainerStatus<'a>> {
        let ephemeral = self.0.status().get("ephemeralContainerStatuses").items();
        self.container_statuses()
            .chain(self.init_container_statuses())
            .chain(ephemeral.iter().map(ContainerStatus))
            .find(|s| s.name() == name)
    }

    /// The address that its containers share; empty while it has none.
    pub fn ip(self) -> &'a str {
        self.0.status().get("podIP").str()
    }

    /// `Always`, `OnFailure` or `Never`.
    pub fn restart_policy(self) -> &'a str {
        self.spec().get("restartPolicy").str()
    }

    /// Seconds; 30 where the spec says nothing.
    pub fn termination_grace_period(self) -> i64 {
        self.spec().i64_at(&["terminationGracePeriodSeconds"]).unwrap_or(30)
    }

    /// `spec.priority`, which admission works out of the class; 0 where it is not set.
    pub fn priority(self) -> i64 {
        self.spec().i64_at(&["priority"]).unwrap_or(0)
    }

    /// The scheduler that is to bind it.
    pub fn scheduler_name(self) -> &'a str {
        self.spec().get("schedulerName").str()
    }

    /// `spec.tolerations`, each `{key?, operator?, value?, effect?, tolerationSeconds?}`.
    pub fn tolerations(self) -> &'a [Value] {
        self.spec().get("tolerations").items()
    }

    /// Whether it shares its node's addresses and ports.
    pub fn host_network(self) -> bool {
        self.spec().bool_at(&["hostNetwork"])
    }

    /// `spec.volumes`, each with a `name` and one source.
    pub fn volumes(self) -> &'a [Value] {
        self.spec().get("volumes").items()
    }

    /// `spec.serviceAccountName`.
    pub fn service_account(self) -> &'a str {
        self.spec().get("serviceAccountName").str()
    }

    /// `Guaranteed`, `Burstable`, `BestEffort`.
    pub fn qos_class(self) -> &'a str {
        self.0.status().get("qosClass").str()
    }

    fn summary(self) -> Rc<Summary> {
        self.0.memo(|object| {
            let pod = Pod(object);
            let ready = object.condition("Ready").filter(|c| c.get("status").str() == "True");
            Summary {
                state: State {
                    ended: matches!(pod.phase(), "Succeeded" | "Failed"),
                    deleting: object.is_deleting(),
                    ready: ready.map(|c| Time::parse(c.get("lastTransitionTime").str())),
                },
                requests: OnceCell::new(),
                asked: OnceCell::new(),
                row: OnceCell::new(),
            }
        })
    }

    /// What controllers ask of each of their pods in every sync.
    pub fn state(self) -> State {
        self.summary().state
    }

    /// Calls `f` with the row that `make` made of this version; it is made once.
    pub fn with_row<T>(self, make: impl FnOnce() -> Row, f: impl FnOnce(&Row) -> T) -> T {
        f(self.summary().row.get_or_init(|| Box::new(make())))
    }

    /// What the pod asks of a node: the sum over its containers, or what its init containers need
    /// when that is more, and its overhead.
    pub fn requests(self) -> Resources {
        self.with_requests(Resources::clone)
    }

    /// Calls `f` with what [`Pod::requests`] gives, without copying it.
    pub fn with_requests<T>(self, f: impl FnOnce(&Resources) -> T) -> T {
        let sum = || Box::new(Resources::of(&total(self.0.value(), "requests", Sum::actual())));
        f(self.summary().requests.get_or_init(sum))
    }

    /// As [`Pod::with_requests`], by what the spec says alone, whatever a resize has come to.
    pub fn with_asked<T>(self, f: impl FnOnce(&Resources) -> T) -> T {
        let sum = || Box::new(Resources::of(&total(self.0.value(), "requests", Sum::asked())));
        f(self.summary().asked.get_or_init(sum))
    }
}

/// Amounts by the names of resources, as they are written.
pub type Amounts = FlatMap<String, Quantity>;

/// What [`total`] looks at (`PodResourcesOptions`).
#[derive(Clone, Copy)]
pub struct Sum {
    /// Whether containers count by what they hold as well, while a resize is under way.
    pub actual: bool,
    /// Whether the overhead of the pod's runtime counts.
    pub overhead: bool,
}

impl Sum {
    /// All that a pod holds.
    pub fn actual() -> Sum {
        Sum {
            actual: true,
            overhead: true,
        }
    }

    /// All that its spec says.
    pub fn asked() -> Sum {
        Sum {
            actual: false,
            overhead: true,
        }
    }
}

/// Reads a `ResourceList`.
pub fn amounts(list: &Value) -> Amounts {
    list.entries()
        .map(|(name, amount)| (name.to_string(), Quantity::parse_or_zero(amount.str())))
        .collect()
}

fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *total.entry(name.clone()).or_default() += *amount;
    }
}

fn raise(total: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let present = total.entry(name.clone()).or_default();
        *present = (*present).max(*amount);
    }
}

/// What a pod sums up to in `requests` or `limits` (`PodRequests`, `PodLimits`): its containers and sidecars, or
/// what an init container needs beside the sidecars before it when that is more; what the pod as a whole asks for
/// instead; and the overhead.
pub fn total(pod: &Value, which: &str, sum: Sum) -> Amounts {
    let (spec, status) = (pod.get("spec"), pod.get("status"));
    // What a container that runs in the end (no init container but a sidecar) counts as.
    let running = |c: &Value| {
        let asked = c.at(&["resources", which]);
        let mut statuses = ["containerStatuses", "initContainerStatuses"]
            .into_iter()
            .flat_map(|list| status.get(list).items());
        let Some(status_of) = statuses.find(|s| sum.actual && s.get("name") == c.get("name")) else {
            return amounts(asked);
        };
        let actual = status_of.at(&["resources", which]);
        let granted = match which {
            "requests" => status_of.get("allocatedResources"),
            _ => actual,
        };
        // Nearly always all three are the same.
        if status_of.get("resources").is_null() || (actual == asked && granted == asked) {
            return amounts(asked);
        }
        let mut most = amounts(actual);
        raise(&mut most, &amounts(granted));
        // A resize that can never be had counts for nothing.
        let refused = |c: &Value| c.str_at(&["type"]) == "PodResizePending" && c.str_at(&["reason"]) == "Infeasible";
        if !status.get("conditions").items().iter().any(refused) {
            raise(&mut most, &amounts(asked));
        }
        most
    };
    let mut total = Amounts::new();
    for container in spec.get("containers").items() {
        add(&mut total, &running(container));
    }
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in spec.get("initContainers").items() {
        if Container(container).is_sidecar() {
            // It runs beside the containers, and beside every later init container.
            let own = running(container);
            add(&mut total, &own);
            add(&mut sidecars, &own);
            raise(&mut most, &sidecars);
        } else {
            let mut needs = amounts(container.at(&["resources", which]));
            add(&mut needs, &sidecars);
            raise(&mut most, &needs);
        }
    }
    raise(&mut total, &most);
    for (name, amount) in amounts(spec.at(&["resources", which])) {
        total.insert(name, amount);
    }
    if sum.overhead {
        for (name, amount) in amounts(spec.get("overhead")) {
            // What has no limit has none with the overhead either.
            match total.get_mut(&name) {
                Some(limit) if which == "requests" || !limit.is_zero() => *limit += amount,
                None if which == "requests" => {
                    total.insert(name, amount);
                }
                _ => {}
            }
        }
    }
    total
}

impl<'a> Container<'a> {
    /// The container's tree.
    pub fn value(self) -> &'a Value {
        self.0
    }

    /// Its name, unique in the pod.
    pub fn name(self) -> &'a str {
        self.0.get("name").str()
    }

    /// The image as the spec names it, without the defaults of registry and tag.
    pub fn image(self) -> &'a str {
        self.0.get("image").str()
    }

    /// `Always`, `IfNotPresent` or `Never`.
    pub fn image_pull_policy(self) -> &'a str {
        self.0.get("imagePullPolicy").str()
    }

    /// The program and its first arguments, in place of the image's entrypoint.
    pub fn command(self) -> impl Iterator<Item = &'a str> {
        self.0.get("command").items().iter().map(Value::str)
    }

    /// Its arguments, in place of the image's.
    pub fn args(self) -> impl Iterator<Item = &'a str> {
        self.0.get("args").items().iter().map(Value::str)
    }

    /// `ports`, each `{name?, containerPort, protocol, hostPort?}`.
    pub fn ports(self) -> &'a [Value] {
        self.0.get("ports").items()
    }

    /// `env`, each `{name, value?, valueFrom?}`.
    pub fn env(self) -> &'a [Value] {
        self.0.get("env").items()
    }

    /// An init container that keeps running beside the others (`restartPolicy: Always`).
    pub fn is_sidecar(self) -> bool {
        self.0.get("restartPolicy").str() == "Always"
    }

    /// `livenessProbe`, `readinessProbe` or `startupProbe`; `None` where it is not set.
    pub fn probe(self, field: &str) -> Option<&'a Value> {
        let probe = self.0.get(field);
        (!probe.is_null()).then_some(probe)
    }
}

impl<'a> ContainerStatus<'a> {
    /// The status's tree.
    pub fn value(self) -> &'a Value {
        self.0
    }

    /// The container's name.
    pub fn name(self) -> &'a str {
        self.0.get("name").str()
    }

    /// Whether the container answers its readiness probe.
    pub fn is_ready(self) -> bool {
        self.0.bool_at(&["ready"])
    }

    /// Whether the container runs and its startup probe has succeeded.
    pub fn is_started(self) -> bool {
        self.0.bool_at(&["started"])
    }

    /// How often the container was started again.
    pub fn restart_count(self) -> i64 {
        self.0.i64_at(&["restartCount"]).unwrap_or(0)
    }

    /// `containerd://` and 64 digits; empty before its first start.
    pub fn container_id(self) -> &'a str {
        self.0.get("containerID").str()
    }

    /// `state.waiting`, null unless it waits.
    pub fn waiting(self) -> &'a Value {
        self.0.at(&["state", "waiting"])
    }

    /// `state.running`, null unless it runs.
    pub fn running(self) -> &'a Value {
        self.0.at(&["state", "running"])
    }

    /// `state.terminated`, null unless it ended.
    pub fn terminated(self) -> &'a Value {
        self.0.at(&["state", "terminated"])
    }

    /// `lastState.terminated`, null unless an earlier run ended.
    pub fn last_terminated(self) -> &'a Value {
        self.0.at(&["lastState", "terminated"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, obj};

    #[test]
    fn sums_of_requests() {
        let c =
            |cpu: &str, memory: &str| obj! { "resources": obj! { "requests": obj! { "cpu": cpu, "memory": memory } } };
        let mut sidecar = c("50m", "10Mi");
        sidecar.set(&["restartPolicy"], "Always");
        let pod = Object::new(obj! { "spec": obj! {
            "containers": list![c("100m", "64Mi"), c("0.2", "64Mi")],
            "initContainers": list![sidecar, c("1", "1Mi")],
        } });
        let requests = Pod(&pod).requests();
        assert_eq!(requests.milli_cpu, 1050);
        assert_eq!(requests.memory, (64 + 64 + 10) << 20);
        assert!(total(pod.value(), "limits", Sum::actual()).is_empty());
    }

    /// Quantities are written as the first of them is; an init container counts beside the sidecars before it, the
    /// pod's own amounts in place of all, and the overhead where it is asked for.
    #[test]
    fn sums_of_quantities() {
        let c = r#"{resources: {requests: {cpu: 100m, memory: 100M}, limits: {cpu: '1'}}}"#;
        let sidecar = r#"{restartPolicy: Always, resources: {requests: {cpu: 50m, memory: 1Mi}, limits: {cpu: 200m}}}"#;
        let init = r#"{resources: {requests: {cpu: '1'}, limits: {cpu: 900m, memory: 1Gi}}}"#;
        let (all, spec) = (
            Sum::asked(),
            Sum {
                overhead: false,
                ..Sum::asked()
            },
        );
        let mut out = String::new();
        for (name, spec_text, sum) in [
            ("plain", format!("containers: [{c}, {c}]"), all),
            (
                "sidecar first",
                format!("containers: [{c}], initContainers: [{sidecar}, {init}]"),
                all,
            ),
            (
                "sidecar last",
                format!("containers: [{c}], initContainers: [{init}, {sidecar}]"),
                all,
            ),
            (
                "pod",
                format!("containers: [{c}], resources: {{requests: {{cpu: '3'}}}}, overhead: {{cpu: 10m}}"),
                all,
            ),
            (
                "overhead",
                format!("containers: [{c}], overhead: {{cpu: 10m, memory: 1Mi, x/y: '1'}}"),
                all,
            ),
            (
                "without",
                format!("containers: [{c}], overhead: {{cpu: 10m, memory: 1Mi, x/y: '1'}}"),
                spec,
            ),
        ] {
            let pod = crate::value::yaml::decode(&format!("{{spec: {{{spec_text}}}}}")).unwrap();
            for which in ["requests", "limits"] {
                let list: Vec<String> = total(&pod, which, sum)
                    .iter()
                    .map(|(k, q)| format!("{k}={q}"))
                    .collect();
                out.push_str(&format!("{name} {which}: {}\n", list.join(" ")));
            }
        }
        expect_test::expect![[r#"
            plain requests: cpu=200m memory=200M
            plain limits: cpu=2
            sidecar first requests: cpu=1050m memory=101048576
            sidecar first limits: cpu=1200m memory=1Gi
            sidecar last requests: cpu=1 memory=101048576
            sidecar last limits: cpu=1200m memory=1Gi
            pod requests: cpu=3010m memory=100M
            pod limits: cpu=1010m
            overhead requests: cpu=110m memory=101048576 x/y=1
            overhead limits: cpu=1010m
            without requests: cpu=100m memory=100M
            without limits: cpu=1
        "#]]
        .assert_eq(&out);
    }

    #[test]
    fn sums_while_a_resize_is_under_way() {
        let cpu = |asked: &str, granted: Value, actual: Value, reason: &str| {
            let list = |cpu: &str| obj! { "cpu": cpu };
            let mut status = obj! { "name": "c" };
            status.set_or_remove(&["allocatedResources", "cpu"], granted);
            status.set_or_remove(&["resources", "requests", "cpu"], actual);
            let mut conditions = Vec::new();
            if !reason.is_empty() {
                conditions.push(obj! { "type": "PodResizePending", "status": "True", "reason": reason });
            }
            let pod = Object::new(obj! {
                "spec": obj! { "containers": list![obj! { "name": "c", "resources": obj! { "requests": list(asked) } }] },
                "status": obj! { "containerStatuses": list![status], "conditions": conditions },
            });
            Pod(&pod).requests().milli_cpu
        };
        for (asked, granted, actual, reason, want) in [
            ("1", "1", "1", "", 1_000),
            // Granted and not yet done, up and down.
            ("2", "2", "1", "", 2_000),
            ("1", "1", "2", "", 2_000),
            ("3", "1", "1", "Deferred", 3_000),
            ("3", "1", "1", "Infeasible", 1_000),
            ("3", "2", "1", "Infeasible", 2_000),
            ("3", "1", "2", "Infeasible", 2_000),
        ] {
            let got = cpu(asked, granted.into(), actual.into(), reason);
            assert_eq!(got, want, "{asked} {granted} {actual} {reason}");
        }
        // A status that tells no resources tells nothing of what was granted.
        assert_eq!(cpu("1", "2".into(), Value::Null, ""), 1_000);
    }

    #[test]
    fn a_condition_keeps_its_place_and_time() {
        let old = list![
            obj! { "type": "DisruptionTarget", "status": "True", "lastTransitionTime": "then" },
            obj! { "type": "Ready", "status": "True" },
        ];
        let pod = Object::new(obj! {
            "metadata": obj! { "generation": 2 }, "status": obj! { "conditions": old },
        });
        let now = Time::from_secs(9);
        let conditions = Pod(&pod).disrupted("Why", "because", now);
        assert_eq!(
            conditions[0].to_json(),
            r#"{"lastProbeTime":null,"lastTransitionTime":"then","message":"because","observedGeneration":2,"reason":"Why","status":"True","type":"DisruptionTarget"}"#
        );
        assert_eq!(conditions[1].str_at(&["type"]), "Ready");
        let mut value = pod.value().clone();
        set_condition(&mut value, obj! { "type": "Ready", "status": "False" }, now);
        let ready = &value.at(&["status", "conditions"]).items()[1];
        assert_eq!(ready.str_at(&["lastTransitionTime"]), "1970-01-01T00:00:09Z");
    }
}
