//! The scheduler against an API server with three nodes, as kubeadm makes them.

use super::*;
use crate::api::ObjectKey;
use crate::sim::{Time, Verdict};

struct World {
    sim: Sim,
    api: ApiServer,
}

fn node(name: &str, master: bool) -> Value {
    let mut labels = obj! { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" };
    let mut spec = obj! {};
    if master {
        labels.set(&["node-role.kubernetes.io/control-plane"], "");
        spec.set(
            &["taints"],
            list![obj! { "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }],
        );
    }
    obj! {
        "apiVersion": "v1", "kind": "Node",
        "metadata": obj! { "name": name, "uid": name, "labels": labels },
        "spec": spec,
        "status": obj! { "allocatable": obj! { "cpu": "2", "memory": "3809356Ki", "pods": "110" } },
    }
}

impl World {
    fn new() -> World {
        let sim = Sim::new(7, Time::from_secs(1_800_000_000));
        let api = ApiServer::new(&sim);
        let namespace = obj! {
            "apiVersion": "v1", "kind": "Namespace", "metadata": obj! { "name": "default" },
        };
        api.restore(namespace).unwrap();
        for (name, master) in [("k8s-master", true), ("k8s-node-01", false), ("k8s-node-02", false)] {
            api.restore(node(name, master)).unwrap();
        }
        start(&api, Options::default());
        sim.run_for(Duration::from_secs(1));
        World { sim, api }
    }

    fn pod(&self, name: &str, labels: Value, spec: Value) {
        let mut full = obj! {
            "containers": list![obj! { "name": "c", "image": "nginx" }],
            "schedulerName": "default-scheduler",
            "terminationGracePeriodSeconds": 0,
        };
        for (key, value) in spec.entries() {
            full.set(&[key], value.clone());
        }
        let pod = obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": name, "namespace": "default", "uid": name, "labels": labels },
            "spec": full,
            "status": obj! { "phase": "Pending" },
        };
        self.api.restore(pod).unwrap();
        self.sim.run_for(Duration::from_secs(2));
    }

    fn get(&self, name: &str) -> Object {
        self.api.store().get("pods", &ObjectKey::new("default", name)).unwrap()
    }

    fn node_of(&self, name: &str) -> String {
        self.get(name).spec().str_at(&["nodeName"]).to_owned()
    }

    fn why(&self, name: &str) -> String {
        self.get(name)
            .condition("PodScheduled")
            .map(|c| c.str_at(&["message"]).to_owned())
            .unwrap_or_default()
    }

    fn promised(&self, name: &str) -> String {
        self.get(name).status().str_at(&["nominatedNodeName"]).to_owned()
    }

    /// How often each event of this reason happened, with the beginning of its message.
    fn events(&self, reason: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.api.store().each("events", "", |o| {
            if o.at(&["reason"]).str() == reason {
                let count = o.value().i64_at(&["series", "count"]).unwrap_or(1);
                let message: String = o.at(&["message"]).str().chars().take(62).collect();
                found.push(format!("{count} {message}"));
            }
        });
        found
    }

    fn forget_events(&self) {
        let mut keys = Vec::new();
        self.api.store().each("events", "", |o| keys.push(o.key()));
        for key in keys {
            self.api.store().remove("events", &key);
        }
    }

    fn verdicts(&self) -> Vec<Rc<Verdict>> {
        let mut found = Vec::new();
        self.sim.trace().since(0, |r| {
            if let TraceEvent::Verdict(v) = &r.event {
                found.push(v.clone());
            }
        });
        found
    }
}

fn cpu(amount: &str) -> Value {
    let requests = obj! { "requests": obj! { "cpu": amount } };
    obj! { "containers": list![obj! { "name": "c", "image": "nginx", "resources": requests }] }
}

#[test]
fn binds_and_says_so() {
    let world = World::new();
    for i in 0..6 {
        world.pod(&format!("even-{i}"), obj! { "app": "even" }, obj! {});
    }
    let on_01 = (0..6)
        .filter(|i| world.node_of(&format!("even-{i}")) == "k8s-node-01")
        .count();
    assert_eq!(on_01, 3);
    let verdicts = world.verdicts();
    assert_eq!(verdicts.len(), 6);
    let first = &verdicts[0];
    assert_eq!(first.nodes.len(), 3);
    assert_eq!(
        first.nodes[0].refused,
        Some(("TaintToleration", "node(s) had untolerated taint(s)".into()))
    );
    assert!(first.nodes[1].total > 0);
    assert_eq!(first.nodes[1].scores[0], ("TaintToleration", 100, 3));
    let events: Vec<Object> = {
        let mut found = Vec::new();
        world.api.store().each("events", "", |o| found.push(o.clone()));
        found
    };
    let messages: Vec<&str> = events.iter().map(|e| e.value().str_at(&["message"])).collect();
    let node = world.node_of("even-0");
    assert!(messages.contains(&format!("Successfully assigned default/even-0 to {node}").as_str()));
}

#[test]
fn says_why_not() {
    let world = World::new();
    let hostname = obj! { "kubernetes.io/hostname": "k8s-node-01" };
    world.pod("too-big", obj! {}, cpu("5"));
    world.pod(
        "wants-ssd",
        obj! {},
        obj! { "nodeSelector": obj! { "disktype": "ssd" } },
    );
    world.pod("fill-1", obj! {}, cpu("1500m"));
    world.pod("fill-2", obj! {}, cpu("1500m"));
    world.pod("fill-3", obj! {}, cpu("1500m"));
    let mut patient = cpu("1500m");
    patient.set(&["priority"], 900);
    patient.set(&["preemptionPolicy"], "Never");
    patient.set(&["nodeSelector"], hostname);
    world.pod("patient", obj! {}, patient);
    let claim = obj! { "name": "v", "persistentVolumeClaim": obj! { "claimName": "nosuchclaim" } };
    world.pod("lost", obj! {}, obj! { "volumes": list![claim] });
    let table: Vec<String> = ["too-big", "wants-ssd", "fill-3", "patient", "lost"]
        .iter()
        .map(|name| format!("{name}: {}", world.why(name)))
        .collect();
    expect_test::expect![[r#"
        too-big: 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
        wants-ssd: 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.
        fill-3: 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.
        patient: 0/3 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.
        lost: 0/3 nodes are available: persistentvolumeclaim "nosuchclaim" not found. not found
    "#]]
    .assert_eq(&(table.join("\n") + "\n"));
    // What helps wakes it: the node gets the label.
    let mut node = node("k8s-node-02", false);
    node.set(&["metadata", "labels", "disktype"], "ssd");
    world.api.restore(node).unwrap();
    world.sim.run_for(Duration::from_secs(15));
    assert_eq!(world.node_of("wants-ssd"), "k8s-node-02");
}

#[test]
fn preempts_the_lower() {
    let world = World::new();
    for name in ["low-1", "low-2"] {
        world.pod(name, obj! {}, cpu("1500m"));
    }
    let mut high = cpu("1500m");
    high.set(&["priority"], 1000);
    world.pod("high", obj! {}, high);
    world.sim.run_for(Duration::from_secs(20));
    assert!(!world.node_of("high").is_empty());
    let mut left = 0;
    world.api.store().each("pods", "", |_| left += 1);
    assert_eq!(left, 2, "one of the lower two is gone");
}

/// A pod that takes its time to end, for nobody ends it here.
fn lasting(amount: &str, priority: i64) -> Value {
    let mut spec = cpu(amount);
    spec.set(&["priority"], priority);
    spec.set(&["terminationGracePeriodSeconds"], 30);
    spec.set(&["nodeSelector"], obj! { "kubernetes.io/hostname": "k8s-node-01" });
    spec
}

#[test]
fn a_promised_node_is_taken_back() {
    let world = World::new();
    world.pod("low-1", obj! {}, lasting("1", 0));
    world.pod("low-2", obj! {}, lasting("1", 0));
    world.pod("middle", obj! {}, lasting("1", 10));
    world.sim.run_for(Duration::from_secs(1));
    assert_eq!(world.promised("middle"), "k8s-node-01");
    // One of higher priority that more must go for gets the promise.
    world.pod("high", obj! {}, lasting("2", 100));
    world.sim.run_for(Duration::from_secs(1));
    assert_eq!(
        (world.promised("middle").as_str(), world.promised("high").as_str()),
        ("", "k8s-node-01")
    );
    world.sim.run_for(Duration::from_secs(301));
    assert!(
        world
            .why("high")
            .ends_with("not eligible due to a terminating pod on the nominated node.")
    );
    assert_eq!(world.promised("high"), "k8s-node-01");
    // Nothing helps any longer.
    let mut tainted = node("k8s-node-01", false);
    tainted.set(&["spec", "taints"], list![obj! { "key": "a", "effect": "NoSchedule" }]);
    world.api.restore(tainted).unwrap();
    world.sim.run_for(Duration::from_secs(301));
    assert!(
        world
            .why("high")
            .ends_with("3 Preemption is not helpful for scheduling.")
    );
    assert_eq!(world.promised("high"), "");
}

#[test]
fn only_a_pod_that_makes_room_is_waited_for() {
    let world = World::new();
    world.pod("low", obj! {}, lasting("2", 0));
    let mut low = world.get("low").value().clone();
    low.set(&["metadata", "deletionTimestamp"], world.sim.now());
    world.api.restore(low).unwrap();
    world.pod("high", obj! {}, lasting("2", 100));
    world.sim.run_for(Duration::from_secs(301));
    assert_eq!(world.promised("high"), "k8s-node-01");
    assert!(
        world.why("high").ends_with("1 node(s) had untolerated taint(s)."),
        "{}",
        world.why("high")
    );
}

#[test]
fn another_message_is_another_event_and_the_same_is_counted() {
    let world = World::new();
    world.pod("model", obj! {}, cpu("5"));
    // One that has its defaults already, so that its spec never changes.
    let (mut pod, key) = (world.get("model").value().clone(), ObjectKey::new("default", "model"));
    pod.set(&["metadata", "name"], "big");
    pod.set(&["metadata", "uid"], "big");
    pod.set(&["status"], obj! { "phase": "Pending" });
    world.api.store().remove("pods", &key);
    world.forget_events();
    world.api.restore(pod).unwrap();
    world.sim.run_for(Duration::from_secs(2));
    let mut tainted = node("k8s-node-01", false);
    tainted.set(&["spec", "unschedulable"], true);
    world.api.restore(tainted).unwrap();
    world.sim.run_for(Duration::from_secs(2 * 300 + 10));
    let (first, second) = (
        "1 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2",
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had unt",
    );
    // The attempt after the message was written is the first one at the pod's new version.
    let twice = |n: u32| vec![first.to_owned(), format!("1 {second}"), format!("{n} {second}")];
    assert_eq!(world.events("FailedScheduling"), twice(2));
    // The count is written each half hour, and the event lives on.
    world.sim.run_for(Duration::from_secs(3600));
    let counts = world.events("FailedScheduling");
    assert!(counts.contains(&format!("11 {second}")), "{counts:?}");
    // One that was deleted comes back with it.
    world.forget_events();
    world.sim.run_for(Duration::from_secs(1800));
    assert_eq!(world.events("FailedScheduling").len(), 1);
}

#[test]
fn anti_affinity_and_spread() {
    let world = World::new();
    let term = obj! {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": obj! { "matchLabels": obj! { "app": "cache" } },
    };
    let mut apart = obj! {};
    apart.set(
        &[
            "affinity",
            "podAntiAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        ],
        list![term.clone()],
    );
    for i in 0..3 {
        world.pod(&format!("cache-{i}"), obj! { "app": "cache" }, apart.clone());
    }
    assert_ne!(world.node_of("cache-0"), world.node_of("cache-1"));
    let why = world.why("cache-2");
    assert!(
        why.contains("2 node(s) didn't match pod anti-affinity rules. no new"),
        "{why}"
    );
    let spread = obj! {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": obj! { "matchLabels": obj! { "app": "spread" } },
    };
    for i in 0..3 {
        let spec = obj! { "topologySpreadConstraints": list![spread.clone()] };
        world.pod(&format!("spread-{i}"), obj! { "app": "spread" }, spec);
    }
    let why = world.why("spread-2");
    // The tainted master is a domain with none.
    assert!(
        why.contains("2 node(s) didn't match pod topology spread constraints."),
        "{why}"
    );
}

#[test]
fn an_idle_scheduler_costs_nothing_but_its_flush() {
    let world = World::new();
    world.pod("ok", obj! {}, obj! {});
    let before = world.sim.trace().last_seq();
    world.sim.run_for(Duration::from_secs(86_400));
    assert_eq!(world.sim.trace().last_seq(), before);
}

#[test]
fn a_claim_that_waits_for_its_pod_gets_a_volume_on_a_node_that_has_one() {
    let world = World::new();
    let class = |name: &str, mode: &str| {
        let class = obj! {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": obj! { "name": name },
            "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": mode,
        };
        world.api.restore(class).unwrap();
    };
    class("local", "WaitForFirstConsumer");
    class("now", "Immediate");
    let claim = |name: &str, class: &str, annotations: Value, volume: &str| {
        let mut claim = obj! {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": obj! { "name": name, "namespace": "default", "uid": name, "annotations": annotations },
            "spec": obj! {
                "accessModes": list!["ReadWriteOnce"], "storageClassName": class,
                "resources": obj! { "requests": obj! { "storage": "1Gi" } },
            },
            "status": obj! { "phase": "Pending" },
        };
        claim.set_or_remove(&["spec", "volumeName"], volume);
        world.api.restore(claim).unwrap();
    };
    claim("data", "local", Value::Null, "");
    claim("eager", "now", Value::Null, "");
    let pod = |name: &str, claim: &str| {
        let source = obj! { "claimName": claim };
        let volumes = list![obj! { "name": "v", "persistentVolumeClaim": source }];
        world.pod(name, obj! {}, obj! { "volumes": volumes });
    };
    pod("eager", "eager");
    assert_eq!(
        world.why("eager"),
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    );
    pod("web", "data");
    assert!(
        world.why("web").starts_with("0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't find available persistent volumes to bind."),
        "{}",
        world.why("web")
    );
    let volume = obj! {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": obj! { "name": "disk" },
        "spec": obj! {
            "accessModes": list!["ReadWriteOnce"], "storageClassName": "local", "capacity": obj! { "storage": "2Gi" },
            "local": obj! { "path": "/disk" }, "nodeAffinity": crate::api::volumes::on_node("k8s-node-02"),
        },
        "status": obj! { "phase": "Available" },
    };
    world.api.restore(volume).unwrap();
    world.sim.run_for(Duration::from_secs(30));
    let volume = world
        .api
        .store()
        .get("persistentvolumes", &ObjectKey::new("", "disk"))
        .unwrap();
    assert_eq!(volume.spec().str_at(&["claimRef", "name"]), "data");
    assert_eq!(world.node_of("web"), "", "the claim is not bound yet");
    let bound = obj! { "pv.kubernetes.io/bind-completed": "yes" };
    claim("data", "local", bound, "disk");
    world.sim.run_for(Duration::from_secs(1));
    assert_eq!(world.node_of("web"), "k8s-node-02");
}

#[test]
fn a_pod_that_changes_while_it_is_decided_on_is_scheduled_once() {
    let world = World::new();
    for i in 0..20u64 {
        let name = format!("p{i}");
        let pod = obj! {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": obj! { "name": &name, "namespace": "default", "uid": &name },
            "spec": obj! {
                "containers": list![obj! { "name": "c", "image": "nginx" }], "schedulerName": "default-scheduler",
            },
            "status": obj! { "phase": "Pending" },
        };
        world.api.restore(pod).unwrap();
        world.sim.run_for(Duration::from_micros(i * 150));
        let mut pod = world.get(&name).value().clone();
        pod.set(&["metadata", "labels", "a"], "b");
        world.api.restore(pod).unwrap();
        world.sim.run_for(Duration::from_secs(5));
        assert_ne!(world.node_of(&name), "");
        assert_eq!(world.verdicts().len() as u64, i + 1, "changed after {} µs", i * 150);
    }
}
