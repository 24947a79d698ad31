//! `kubetab bench`: figures of the representation and of the engine, on this machine. Prints, and
//! judges nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kubetab::api::{ApiServer, Body, Method, Object, Request, User};
use kubetab::sim::{Sim, Time};
use kubetab::value::Value;
use kubetab::world::{Input, Options, World};
use kubetab::{list, obj};

/// Counts the bytes that the program holds.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; only a counter is kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A pod as the cluster holds it when it runs: what one of a ReplicaSet's pods has of its own is
/// made anew, what it shares with the others comes from `template`.
fn running_pod(template: &Value, i: usize, now: Time) -> Value {
    let name = format!("web-7f8fbb96d-{i:05}");
    let mut pod = template.clone();
    pod.set(&["metadata", "name"], name.as_str());
    pod.set(&["metadata", "uid"], format!("{i:08x}-0000-4000-8000-000000000000"));
    pod.set(&["metadata", "creationTimestamp"], now);
    pod.set(&["spec", "nodeName"], format!("node-{:04}", i % 5_000));
    let token = format!("kube-api-access-{i:05}");
    let volumes = pod.at_mut(&["spec", "volumes"]).list_mut();
    if let Some(volume) = volumes.first_mut() {
        volume.set(&["name"], token.as_str());
    }
    for container in pod.at_mut(&["spec", "containers"]).list_mut() {
        for mount in container.at_mut(&["volumeMounts"]).list_mut() {
            mount.set(&["name"], token.as_str());
        }
    }
    let ip = format!("10.{}.{}.{}", 128 + (i >> 16), (i >> 8) & 255, i & 255);
    pod.set(&["status", "podIP"], ip.as_str());
    pod.set(&["status", "podIPs"], list![obj! { "ip": ip.as_str() }]);
    pod.set(&["status", "startTime"], now);
    for status in pod.at_mut(&["status", "containerStatuses"]).list_mut() {
        status.set(&["containerID"], format!("containerd://{i:064x}"));
        status.set(&["state", "running", "startedAt"], now);
    }
    for condition in pod.at_mut(&["status", "conditions"]).list_mut() {
        condition.set(&["lastTransitionTime"], now);
    }
    pod
}

/// The coredns pod of the snapshot stands for a pod of a Deployment with one container.
fn template() -> Value {
    let world = World::new(&Options {
        kubelet: false,
        controllers: false,
        scheduler: false,
        ..Options::default()
    });
    let pods = world
        .map(|w| w.api().store().list("pods", "kube-system"))
        .unwrap_or_default();
    let coredns = pods.iter().find(|p| p.name().starts_with("coredns"));
    coredns.map(|p| p.value().clone()).unwrap_or_default()
}

fn time<T>(what: &str, times: u32, mut f: impl FnMut() -> T) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..times {
            black_box(f());
        }
        best = best.min(start.elapsed());
    }
    println!("{what:<52} {:>10.1} ns", best.as_nanos() as f64 / f64::from(times));
}

/// Prints every figure.
pub fn run() -> Result<(), String> {
    let template = template();
    println!("the representation ({} bytes of JSON a pod)", template.to_json().len());
    const PODS: usize = 150_000;
    let sim = Sim::new(1, Time::from_secs(1_800_000_000));
    let api = ApiServer::new(&sim);
    let before = HELD.load(Ordering::Relaxed);
    let start = Instant::now();
    for i in 0..PODS {
        api.restore(running_pod(&template, i, sim.now()))
            .map_err(|e| e.to_string())?;
    }
    let made = start.elapsed();
    api.store().compact();
    let held = HELD.load(Ordering::Relaxed) - before;
    println!(
        "{:<52} {:>10} bytes",
        "a stored pod, of 150,000 of one ReplicaSet",
        held / PODS
    );
    println!(
        "{:<52} {:>10.1} µs",
        "to make and store one",
        made.as_micros() as f64 / PODS as f64
    );
    let pods: Vec<Object> = api.store().list("pods", "");
    let Some(pod) = pods.get(PODS / 2).cloned() else {
        return Err("no pods were stored".into());
    };
    time("to read a pod's phase and node", 100_000, || {
        (
            pod.status().str_at(&["phase"]).len(),
            pod.spec().str_at(&["nodeName"]).len(),
        )
    });
    time("to clone an object", 100_000, || pod.clone());
    time("to clone its tree and change one field of the status", 10_000, || {
        let mut value = pod.value().clone();
        value.set(&["status", "phase"], "Failed");
        value
    });
    let mut changed = pod.value().clone();
    changed.set(&["status", "phase"], "Failed");
    time("to compare two versions that differ in one field", 10_000, || {
        pod.value() == &changed
    });
    let whole = Value::from_json(&pod.value().to_json()).map_err(|e| e.to_string())?;
    time("to compare two equal trees that share nothing", 1_000, || {
        pod.value() == &whole
    });
    time("to write it as JSON", 1_000, || pod.value().to_json().len());
    let text = pod.value().to_json();
    time("to read it from JSON", 1_000, || Value::from_json(&text).is_ok());

    println!("\nthe owners of fields");
    for tracked in [false, true] {
        if let Err(why) = owners(&template, tracked) {
            println!("not measured: {why}");
        }
    }

    println!("\nthe engine");
    let start = Instant::now();
    let world = World::new(&Options::default()).map_err(|e| e.to_string())?;
    println!(
        "{:<52} {:>10.1} ms",
        "to boot a world",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Instant::now();
    world.sim().run_for(Duration::from_secs(86_400));
    println!("{:<52} {:>10.3} s", "an idle day", start.elapsed().as_secs_f64());
    listing(&template)?;
    growth(&world)
}

/// What the minute costs in which a deployment grows, to pods that run and then to more than there is
/// room for, so that most are Pending.
fn growth(world: &World) -> Result<(), String> {
    let run = |line: String, seconds: u64| {
        drop(black_box(world.input(Input::Exec(line))));
        world.sim().run_for(Duration::from_secs(seconds));
    };
    run("kubectl create deployment many --image=nginx --replicas=0".into(), 1);
    for pods in [100, 1_000, 10_000] {
        let before = HELD.load(Ordering::Relaxed);
        let start = Instant::now();
        run(format!("kubectl scale deployment many --replicas={pods}"), 60);
        println!(
            "{:<52} {:>10.3} s",
            format!("the minute in which it grows to {pods} pods"),
            start.elapsed().as_secs_f64()
        );
        let held = HELD.load(Ordering::Relaxed).saturating_sub(before);
        println!(
            "{:<52} {:>10.1} MB",
            "what the world holds more after it",
            held as f64 / 1e6
        );
        let stored = world.api().store().list("pods", "default").len();
        if stored != pods {
            return Err(format!("there are {stored} pods of {pods}"));
        }
        // What is under way comes to rest before the next.
        world.sim().run_for(Duration::from_secs(600));
    }
    Ok(())
}

/// What pods cost with and without `managedFields`: each is made by a controller, and a kubelet writes
/// its status through the API server.
fn owners(template: &Value, tracked: bool) -> Result<(), String> {
    const PODS: usize = 20_000;
    let sim = Sim::new(1, Time::from_secs(1_800_000_000));
    let api = ApiServer::new(&sim);
    let kept = |path: &str| template.at(&["metadata", path]).clone();
    let namespace = template.str_at(&["metadata", "namespace"]);
    for (kind, name, place) in [("Namespace", namespace, ""), ("ServiceAccount", "coredns", namespace)] {
        let mut object = obj! { "apiVersion": "v1", "kind": kind, "metadata": obj! { "name": name } };
        object.set_or_remove(&["metadata", "namespace"], place);
        api.restore(object).map_err(|e| e.to_string())?;
    }
    let collection = format!("/api/v1/namespaces/{namespace}/pods");
    let send = |method, path: String, client: &str, body: Value| {
        let mut request = Request::new(method, path).body(Body::Typed(body));
        request.user = User::system("bench");
        request.client = client.into();
        api.serve(request).ok().map_err(|e| e.to_string())
    };
    let before = HELD.load(Ordering::Relaxed);
    let (mut made, mut written) = (Duration::ZERO, Duration::ZERO);
    for i in 0..PODS {
        let mut pod = running_pod(template, i, sim.now());
        // As the kubelet makes it: nobody else holds parts of it, so that the store can share them.
        let status = pod.remove(&["status"]).unwrap_or_default();
        let status = Value::from_json(&status.to_json()).map_err(|e| e.to_string())?;
        pod.remove(&["metadata", "resourceVersion"]);
        // What a creation gives; it cannot change later.
        pod.set(&["status", "qosClass"], status.get("qosClass").clone());
        // The measured server has no priority classes.
        for field in ["priorityClassName", "priority", "preemptionPolicy"] {
            pod.remove(&["spec", field]);
        }
        for (field, value) in [("labels", kept("labels")), ("ownerReferences", kept("ownerReferences"))] {
            pod.set_or_remove(&["metadata", field], value);
        }
        let start = Instant::now();
        let mut stored = if tracked {
            send(Method::Post, collection.clone(), "kube-controller-manager", pod)?.value()
        } else {
            api.restore(pod).map_err(|e| e.to_string())?.value().clone()
        };
        made += start.elapsed();
        stored.set(&["status"], status);
        let path = format!("{collection}/{}/status", stored.str_at(&["metadata", "name"]));
        let start = Instant::now();
        send(Method::Put, path, "kubelet/node", stored)?;
        written += start.elapsed();
    }
    api.store().compact();
    let held = HELD.load(Ordering::Relaxed) - before;
    let what = if tracked { "with" } else { "without" };
    println!(
        "{:<52} {:>10} bytes",
        format!("a pod {what} managedFields"),
        held / PODS
    );
    if tracked {
        println!(
            "{:<52} {:>10.1} µs",
            "to create it through the API server",
            made.as_micros() as f64 / PODS as f64
        );
    }
    println!(
        "{:<52} {:>10.1} µs",
        format!("a status write {what} them"),
        written.as_micros() as f64 / PODS as f64
    );
    Ok(())
}

/// Pods of the listing: far beyond a teaching cluster, as large as the page should stay quick with.
const LISTED: usize = 10_000;

/// What `kubectl get pods -A` costs at [`LISTED`] pods, from the command line to the printed table.
fn listing(template: &Value) -> Result<(), String> {
    let world = World::new(&Options {
        kubelet: false,
        controllers: false,
        scheduler: false,
        ..Options::default()
    })
    .map_err(|e| e.to_string())?;
    for i in 0..LISTED {
        world
            .api()
            .restore(running_pod(template, i, world.sim().now()))
            .map_err(|e| e.to_string())?;
    }
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        drop(black_box(world.input(Input::Exec("kubectl get pods -A".into()))));
        world.sim().run_for(Duration::from_secs(1));
        best = best.min(start.elapsed());
    }
    println!(
        "{:<52} {:>10.1} ms",
        "kubectl get pods -A, 10,000 pods",
        best.as_secs_f64() * 1e3
    );
    Ok(())
}
