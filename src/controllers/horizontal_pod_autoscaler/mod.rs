//! The HorizontalPodAutoscaler controller: every 15 seconds it compares what pods use with what they
//! should, and sets the number of replicas of their owner. Of metrics it knows those of the metrics
//! API (cpu and memory of pods and containers); the APIs of custom and external metrics are served
//! by nobody here, and it says so as a real one does.

mod behavior;
mod calculator;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use self::behavior::{Memory, Reason};
use self::calculator::{Metric, Proposal, Sample, Target};
use super::context::{Base, Context, resource};
use crate::api::events::EventType;
use crate::api::object::set_condition;
use crate::api::quantity::Quantity;
use crate::api::selector::go_text;
use crate::api::{Informer, Object, ObjectKey, Request, Resource, Selector, Status, metrics};
use crate::flat::FlatMap;
use crate::obj;
use crate::sim::Time;
use crate::value::{Value, quoted};

const NAME: &str = "horizontal-pod-autoscaler";

/// Each autoscaler is looked at so often (`--horizontal-pod-autoscaler-sync-period`).
const SYNC: Duration = Duration::from_secs(15);

#[derive(Clone)]
struct Controller(Rc<Inner>);

struct Inner {
    base: Base,
    pods: Informer,
    memory: RefCell<FlatMap<ObjectKey, Memory>>,
    /// Which pods each autoscaler has seen as its own.
    selectors: RefCell<FlatMap<ObjectKey, Selector>>,
}

impl std::ops::Deref for Inner {
    type Target = Base;
    fn deref(&self) -> &Base {
        &self.base
    }
}

/// Starts the controller.
pub fn start(context: &Context) {
    let controller = Controller(Rc::new(Inner {
        base: Base::new(context, NAME, "autoscaling", "horizontalpodautoscalers"),
        pods: context.informers().of(&resource(context.api(), "", "pods")),
        memory: RefCell::default(),
        selectors: RefCell::default(),
    }));
    let inner = &controller.0;
    let c = controller.clone();
    inner.objects.on_change(move |old, new| {
        match (old, new) {
            // A key that waits already keeps its time.
            (_, Some(scaler)) => c.0.queue.add_after(scaler.key(), SYNC),
            (Some(scaler), None) => {
                c.0.memory.borrow_mut().remove(&scaler.key());
                c.0.selectors.borrow_mut().remove(&scaler.key());
            }
            (None, None) => {}
        }
    });
    let c = controller.clone();
    let workers = context.options().concurrent_syncs;
    inner.run(context, workers, &[&inner.pods], async move |key| {
        if let Some(scaler) = c.0.objects.get(&key) {
            c.sync(&scaler).await;
            c.0.queue.add_after(key, SYNC);
        }
        Ok(())
    });
}

/// What is scaled.
struct Scale {
    resource: Rc<Resource>,
    name: String,
    replicas: i64,
    selector: String,
}

/// What one metric says, or why it says nothing: the reason of the condition, its message, and the
/// longer error.
type Said = Result<(i64, String, Value), (&'static str, String, String)>;

/// What all metrics say together.
struct Computed {
    replicas: i64,
    metric: String,
    statuses: Vec<Value>,
}

impl Controller {
    fn warn(&self, scaler: &Object, reason: &str, message: &str) {
        self.0.recorder.event(scaler, EventType::Warning, reason, message);
    }

    async fn sync(&self, scaler: &Object) {
        let mut status = scaler.status().clone();
        self.look(scaler, &mut status).await;
        // What fails is said again at the next look.
        let _ = self.0.write_status(scaler, status).await;
    }

    async fn scale_of(&self, scaler: &Object) -> Result<Scale, String> {
        let target = scaler.spec().get("scaleTargetRef");
        let (version, kind, name) = (
            target.str_at(&["apiVersion"]),
            target.str_at(&["kind"]),
            target.str_at(&["name"]),
        );
        let api = self.0.client.api();
        let version = if version.is_empty() { "v1" } else { version };
        let resource = api.resource_of_kind(version, kind).ok_or_else(|| {
            let group = version.split_once('/').map_or("", |(group, _)| group);
            format!(
                "no matches for kind {kind} in group {group}",
                kind = quoted(&kind),
                group = quoted(&group)
            )
        })?;
        let scale = self
            .0
            .client
            .get(&resource, scaler.namespace(), &format!("{name}/scale"))
            .await;
        let scale = scale.map_err(|status| status.message().to_owned())?;
        Ok(Scale {
            resource,
            name: name.to_owned(),
            replicas: scale.spec().i64_at(&["replicas"]).unwrap_or(0),
            selector: scale.status().str_at(&["selector"]).to_owned(),
        })
    }

    async fn look(&self, scaler: &Object, status: &mut Value) {
        let inner = &self.0;
        let now = inner.sim.now();
        let spec = scaler.spec();
        let scale = match self.scale_of(scaler).await {
            Ok(scale) => scale,
            Err(why) => {
                self.warn(scaler, "FailedGetScale", &why);
                let message = format!("the HPA controller was unable to get the target's current scale: {why}");
                set_condition(status, "AbleToScale", false, "FailedGetScale", &message, now);
                return;
            }
        };
        let message = "the HPA controller was able to get the target's current scale";
        set_condition(status, "AbleToScale", true, "SucceededGetScale", message, now);
        let current = scale.replicas;
        let (least, most) = (
            spec.i64_at(&["minReplicas"]).unwrap_or(1),
            spec.i64_at(&["maxReplicas"]).unwrap_or(1),
        );
        let mut memory = inner.memory.borrow().get(&scaler.key()).cloned().unwrap_or_default();
        memory.begin(now, current);
        inner.memory.borrow_mut().insert(scaler.key(), memory.clone());
        let mut statuses = Vec::new();
        let (desired, reason) = if current == 0 && least != 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            set_condition(status, "ScalingActive", false, "ScalingDisabled", message, now);
            (current, String::new())
        } else if current > most {
            (most, "Current number of replicas above Spec.MaxReplicas".to_owned())
        } else if current < least {
            (least, "Current number of replicas below Spec.MinReplicas".to_owned())
        } else {
            let computed = match self.compute(scaler, &scale, status).await {
                Ok(computed) => computed,
                Err(why) => {
                    status.set_or_remove(&["currentReplicas"], current);
                    self.warn(scaler, "FailedComputeMetricsReplicas", &why);
                    return;
                }
            };
            statuses = computed.statuses;
            let wanted = computed.replicas;
            let reason = if wanted > current {
                format!("{} above target", computed.metric)
            } else {
                "All metrics below target".to_owned()
            };
            let behavior = spec.get("behavior");
            let decision = behavior::decide(behavior, &mut memory, (least, most), current, wanted, now);
            let mut say = |kind: &str, state: bool, (reason, message): Reason| {
                set_condition(status, kind, state, reason, message, now);
            };
            say("AbleToScale", true, decision.able);
            say("ScalingLimited", decision.limited.0, decision.limited.1);
            (decision.replicas, reason)
        };
        status.set_or_remove(&["currentReplicas"], current);
        if desired != current {
            if let Err(failure) = self.rescale(scaler, &scale, desired).await {
                let why = failure.message();
                let text = format!("New size: {desired}; reason: {reason}; error: {why}");
                self.warn(scaler, "FailedRescale", &text);
                let message = format!("the HPA controller was unable to update the target scale: {why}");
                set_condition(status, "AbleToScale", false, "FailedUpdateScale", &message, now);
                inner.memory.borrow_mut().insert(scaler.key(), memory);
                return;
            }
            let message = format!("the HPA controller was able to update the target scale to {desired}");
            set_condition(status, "AbleToScale", true, "SucceededRescale", &message, now);
            let text = format!("New size: {desired}; reason: {reason}");
            inner
                .recorder
                .event(scaler, EventType::Normal, "SuccessfulRescale", text);
            memory.changed(now, desired - current);
            status.set(&["lastScaleTime"], now);
        }
        inner.memory.borrow_mut().insert(scaler.key(), memory);
        status.set(&["desiredReplicas"], desired);
        let metrics = if statuses.is_empty() {
            Value::Null
        } else {
            Value::list(statuses)
        };
        status.set(&["currentMetrics"], metrics);
    }

    async fn rescale(&self, scaler: &Object, scale: &Scale, replicas: i64) -> Result<(), Status> {
        let body = obj! {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": obj! { "name": scale.name.as_str(), "namespace": scaler.namespace() },
            "spec": obj! { "replicas": replicas },
        };
        let written = self.0.client.update_part(&scale.resource, "scale", body);
        written.await.map(|_| ())
    }

    /// The autoscalers that scale any of these pods, as Go prints them: `{NAME NAMESPACE}`.
    fn owners(&self, namespace: &str, pods: &[Object]) -> Vec<String> {
        let selectors = self.0.selectors.borrow();
        let own = selectors.iter().filter(|(key, selector)| {
            &*key.namespace == namespace && pods.iter().any(|p| selector.matches(p.labels()))
        });
        own.map(|(key, _)| format!("{{{} {}}}", key.name, key.namespace))
            .collect()
    }

    /// Asks every metric, and takes the greatest answer.
    ///
    /// # Errors
    /// When all fail, or some do and the others would scale down.
    async fn compute(&self, scaler: &Object, scale: &Scale, status: &mut Value) -> Result<Computed, String> {
        let now = self.0.sim.now();
        if scale.selector.is_empty() {
            self.warn(scaler, "SelectorRequired", "selector is required");
            let message = "the HPA target's scale is missing a selector";
            set_condition(status, "ScalingActive", false, "InvalidSelector", message, now);
            return Err("selector is required".into());
        }
        let Ok(selector) = Selector::parse(&scale.selector) else {
            let why = "couldn't convert selector into a corresponding internal selector object";
            self.warn(scaler, "InvalidSelector", why);
            set_condition(status, "ScalingActive", false, "InvalidSelector", why, now);
            return Err(why.into());
        };
        let mut pods = Vec::new();
        self.0.pods.each(scaler.namespace(), |pod| {
            if selector.matches(pod.labels()) {
                pods.push(pod.clone());
            }
        });
        self.0.selectors.borrow_mut().insert(scaler.key(), selector);
        let owners = self.owners(scaler.namespace(), &pods);
        if owners.len() > 1 {
            let why = format!(
                "pods by selector {} are controlled by multiple HPAs: [{}]",
                scale.selector,
                owners.join(" ")
            );
            self.warn(scaler, "AmbiguousSelector", &why);
            set_condition(status, "ScalingActive", false, "AmbiguousSelector", &why, now);
            return Err(why);
        }
        let metrics = scaler.spec().get("metrics").items();
        let mut best: Option<(i64, String)> = None;
        let mut statuses = Vec::new();
        let mut first_failure = None;
        let mut failures = 0;
        for metric in metrics {
            match self.ask(scaler, scale, &pods, metric).await {
                Ok((replicas, name, shown)) => {
                    if best.as_ref().is_none_or(|(most, _)| replicas > *most) {
                        best = Some((replicas, name));
                    }
                    statuses.push(shown);
                }
                Err((reason, message, error)) => {
                    failures += 1;
                    self.warn(scaler, reason, &message);
                    // Its place is kept: statuses stand beside their metrics.
                    statuses.push(obj! { "type": "" });
                    first_failure.get_or_insert((reason, message, error));
                }
            }
        }
        let current = scale.replicas;
        if let Some((reason, message, error)) = first_failure
            && best.as_ref().is_none_or(|(replicas, _)| *replicas < current)
        {
            let message = format!("the HPA was unable to compute the replica count: {message}");
            set_condition(status, "ScalingActive", false, reason, &message, now);
            return Err(format!(
                "invalid metrics ({failures} invalid out of {}), first error is: {error}",
                metrics.len()
            ));
        }
        let (replicas, metric) = best.unwrap_or((current, String::new()));
        let message = format!("the HPA was able to successfully calculate a replica count from {metric}");
        set_condition(status, "ScalingActive", true, "ValidMetricFound", &message, now);
        Ok(Computed {
            replicas,
            metric,
            statuses,
        })
    }

    async fn ask(&self, scaler: &Object, scale: &Scale, pods: &[Object], metric: &Value) -> Said {
        let kind = metric.str_at(&["type"]);
        let no_custom =
            "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
        match kind {
            "Resource" | "ContainerResource" => self.ask_resource(scaler, scale, pods, metric).await,
            "Pods" => {
                let name = metric.str_at(&["pods", "metric", "name"]);
                let why = format!("unable to get metric {name}: {no_custom}");
                let error = format!("failed to get pods metric value: {why}");
                Err(("FailedGetPodsMetric", why, error))
            }
            "Object" => {
                let name = metric.str_at(&["object", "metric", "name"]);
                let object = metric.at(&["object", "describedObject"]);
                // The real sentence has its parts in this order.
                let why = format!(
                    "unable to get metric {name}: {} on {} {}/{no_custom}",
                    object.str_at(&["kind"]),
                    scaler.namespace(),
                    object.str_at(&["name"])
                );
                let error = format!("failed to get object metric value: {why}");
                Err(("FailedGetObjectMetric", why, error))
            }
            "External" => {
                let name = metric.str_at(&["external", "metric", "name"]);
                let selector = go_text(metric.at(&["external", "metric", "selector"]));
                let why = format!(
                    "unable to get external metric {}/{name}/{selector}: unable to fetch metrics from external metrics API: the server could not find the requested resource (get {name}.external.metrics.k8s.io)",
                    scaler.namespace()
                );
                let error = format!("failed to get {name} external metric value: {why}");
                Err(("FailedGetExternalMetric", why, error))
            }
            _ => {
                let why = format!("unknown metric source type {kind}", kind = quoted(&kind));
                Err(("InvalidMetricSourceType", why.clone(), why))
            }
        }
    }

    async fn ask_resource(&self, scaler: &Object, scale: &Scale, pods: &[Object], metric: &Value) -> Said {
        let by_container = metric.str_at(&["type"]) == "ContainerResource";
        let (field, reason, words) = if by_container {
            (
                "containerResource",
                "FailedGetContainerResourceMetric",
                "container resource",
            )
        } else {
            ("resource", "FailedGetResourceMetric", "resource")
        };
        let source = metric.get(field);
        let (name, container) = (source.str_at(&["name"]), source.str_at(&["container"]));
        let wanted = source.get("target");
        let average = wanted.get("averageValue");
        let (target, what) = match (average.is_null(), wanted.i64_at(&["averageUtilization"])) {
            (false, _) => (
                Target::Average(Quantity::parse_or_zero(average.str()).milli_value()),
                "usage",
            ),
            (true, Some(percent)) => (Target::Utilization(percent), "utilization"),
            (true, None) => {
                let why = "invalid resource metric source: neither an average utilization target nor an average value (usage) target was set";
                return Err((reason, why.into(), why.into()));
            }
        };
        let asked = Metric {
            resource: name,
            container,
            target,
        };
        let result = match self.samples(scaler.namespace(), &scale.selector, &asked).await {
            Ok(samples) => {
                let tolerance = behavior::tolerance(scaler.spec().get("behavior"));
                let now = self.0.sim.now();
                calculator::propose(&asked, pods, &samples, scale.replicas, tolerance, now)
            }
            Err(why) => Err(format!("unable to get metrics for resource {name}: {why}")),
        };
        let Proposal {
            replicas,
            utilization,
            average,
        } = result.map_err(|why| {
            let why = format!("failed to get {name} {what}: {why}");
            let error = format!("failed to get {name} {words} metric value: {why}");
            (reason, why, error)
        })?;
        let mut current = obj! { "averageValue": Quantity::milli(average).to_string() };
        let title = match target {
            Target::Utilization(_) => {
                current.set(&["averageUtilization"], utilization);
                format!("{name} {words} utilization (percentage of request)")
            }
            Target::Average(_) => format!("{name} {words}"),
        };
        let mut shown = obj! { "current": current, "name": name };
        shown.set_or_remove(&["container"], container);
        let mut status = obj! { "type": metric.get("type").clone() };
        status.set(&[field], shown);
        Ok((replicas, title, status))
    }

    /// What the metrics API has of the pods that a selector selects.
    async fn samples(
        &self,
        namespace: &str,
        selector: &str,
        metric: &Metric<'_>,
    ) -> Result<FlatMap<String, Sample>, String> {
        let path = format!(
            "/apis/{}/{}/namespaces/{namespace}/pods",
            metrics::GROUP,
            metrics::VERSION
        );
        let request = Request::get(path).with("labelSelector", selector);
        let list = self.0.client.send(request).await.ok().map_err(|status| {
            let (why, asked) = (status.message(), "(get pods.metrics.k8s.io)");
            let asked = if why.ends_with(asked) {
                String::new()
            } else {
                format!(" {asked}")
            };
            format!("unable to fetch metrics from resource metrics API: {why}{asked}")
        })?;
        let list = list.value();
        let mut samples = FlatMap::new();
        for value in list.get("items").items() {
            let containers = value.get("containers").items().iter();
            let used: Vec<i64> = containers
                .filter(|c| metric.container.is_empty() || c.str_at(&["name"]) == metric.container)
                .map(|c| Quantity::parse_or_zero(c.str_at(&["usage", metric.resource])).milli_value())
                .collect();
            if used.is_empty() {
                continue;
            }
            let window = value
                .str_at(&["window"])
                .trim_end_matches('s')
                .parse::<u64>()
                .unwrap_or(15);
            let sample = Sample {
                value: used.iter().sum(),
                at: Time::parse(value.str_at(&["timestamp"])).unwrap_or_default(),
                window: Duration::from_secs(window),
            };
            samples.insert(value.str_at(&["metadata", "name"]).to_owned(), sample);
        }
        if samples.is_empty() {
            return Err("no metrics returned from resource metrics API".into());
        }
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::list;

    fn world(replicas: i64, more: Value) -> World {
        let world = World::new();
        world.start(start);
        let containers = list![obj! { "name": "c", "image": "nginx" }];
        world.create(obj! {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": obj! { "name": "web", "namespace": "default" },
            "spec": obj! {
                "replicas": replicas,
                "selector": obj! { "matchLabels": obj! { "app": "web" } },
                "template": obj! {
                    "metadata": obj! { "labels": obj! { "app": "web" } },
                    "spec": obj! { "containers": containers },
                },
            },
        });
        let target = obj! { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" };
        let mut spec = obj! { "scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5 };
        for (key, value) in more.entries() {
            spec.set(&[key], value.clone());
        }
        world.create(obj! {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": obj! { "name": "web", "namespace": "default" }, "spec": spec,
        });
        world
    }

    fn replicas(world: &World) -> i64 {
        world
            .get("apps", "deployments", "web")
            .spec()
            .i64_at(&["replicas"])
            .unwrap()
    }

    fn conditions(world: &World) -> Vec<String> {
        let scaler = world.get("autoscaling", "horizontalpodautoscalers", "web");
        let conditions = scaler.status().get("conditions").items().iter();
        conditions
            .map(|c| {
                let part = |f: &str| c.str_at(&[f]).to_owned();
                format!("{}={} {}", part("type"), part("status"), part("reason"))
            })
            .collect()
    }

    #[test]
    fn bounds_hold_without_metrics() {
        let world = world(1, obj! {});
        world.run(14);
        assert_eq!(replicas(&world), 1, "the first look is after 15 s");
        world.run(2);
        assert_eq!(replicas(&world), 2);
        assert_eq!(conditions(&world), ["AbleToScale=True SucceededRescale"]);
        assert_eq!(
            world.messages("SuccessfulRescale"),
            ["New size: 2; reason: Current number of replicas below Spec.MinReplicas"]
        );
        world.run(15);
        assert_eq!(
            conditions(&world),
            [
                "AbleToScale=True SucceededGetScale",
                "ScalingActive=False FailedGetResourceMetric"
            ]
        );
        let why = "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
        assert_eq!(
            world.messages("FailedComputeMetricsReplicas"),
            [format!(
                "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: failed to get cpu utilization: {why}"
            )]
        );
        world.patch("apps", "deployments", "web", obj! { "spec": obj! { "replicas": 9 } });
        world.run(15);
        assert_eq!(replicas(&world), 5);
    }

    #[test]
    fn targets_that_cannot_be_scaled() {
        let target = |kind: &str, name: &str| {
            obj! { "scaleTargetRef": obj! { "apiVersion": "apps/v1", "kind": kind, "name": name } }
        };
        for (kind, name, want) in [
            ("Deployment", "nothere", "deployments.apps \"nothere\" not found"),
            ("Thing", "web", "no matches for kind \"Thing\" in group \"apps\""),
        ] {
            let world = world(1, target(kind, name));
            world.run(16);
            assert_eq!(conditions(&world), ["AbleToScale=False FailedGetScale"]);
            assert_eq!(world.messages("FailedGetScale"), [want]);
        }
        let world = world(0, obj! {});
        world.run(16);
        assert_eq!(conditions(&world)[1], "ScalingActive=False ScalingDisabled");
        assert_eq!(replicas(&world), 0);
    }

    #[test]
    fn metrics_that_nobody_serves() {
        let selector = obj! { "matchLabels": obj! { "queue": "tasks" } };
        let value = |n: &str| obj! { "type": "AverageValue", "averageValue": n };
        let metrics = list![
            obj! { "type": "External", "external": obj! {
                "metric": obj! { "name": "ready", "selector": selector }, "target": value("30"),
            } },
            obj! { "type": "Pods", "pods": obj! { "metric": obj! { "name": "packets" }, "target": value("1k") } },
        ];
        let world = world(3, obj! { "metrics": metrics });
        world.run(16);
        assert_eq!(
            world.messages("FailedGetExternalMetric"),
            [
                "unable to get external metric default/ready/&LabelSelector{MatchLabels:map[string]string{queue: tasks,},MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: the server could not find the requested resource (get ready.external.metrics.k8s.io)"
            ]
        );
        assert_eq!(
            world.messages("FailedGetPodsMetric"),
            [
                "unable to get metric packets: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
            ]
        );
        assert!(world.messages("FailedComputeMetricsReplicas")[0].starts_with("invalid metrics (2 invalid out of 2)"));
    }
}
