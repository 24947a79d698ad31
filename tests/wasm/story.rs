//! One story of a world, for the tests that compare runs: native with native, and native with wasm.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use kubetab::world::{Options, Scenario, World};

const STORY: &str = "\
$ kubectl create deployment web --image=nginx --replicas=3
@settle
$ kubectl get pods -o wide
$ kubectl expose deployment web --port=80
@wait 3
$ IP=$(kubectl get service web -o jsonpath='{.spec.clusterIP}'); for i in $(seq 6); do curl -s $IP | head -n 1; done
$ kubectl scale deployment web --replicas=1
@settle
$ kubectl set image deployment/web nginx=no.such/thing:1
@wait 120
$ kubectl get pods,events
$ kubectl delete deployment web
@settle
$ kubectl get all -A -o yaml
@wait 3600
";

/// Runs the story from the seed. Gives the hash of every trace event, and the transcript.
pub fn run(seed: u64) -> (u64, String) {
    let world = World::new(&Options {
        seed,
        ..Options::default()
    })
    .expect("the world boots");
    let sim = world.sim().clone();
    sim.trace().start_hash();
    let scenario = Scenario::parse(STORY).expect("the story is a scenario");
    let transcript: Rc<RefCell<String>> = Rc::default();
    let sink = transcript.clone();
    let end = sim.now() + Duration::from_secs(86_400);
    let told = async move { scenario.run(&world, move |text| sink.borrow_mut().push_str(text)).await };
    sim.run_future(told, end).expect("the story ends");
    let hash = sim.trace().hash().expect("the hash was begun");
    let transcript = transcript.borrow().clone();
    (hash, transcript)
}

/// One number for a run: what happened, and what was printed.
pub fn fingerprint(seed: u64) -> String {
    let (hash, transcript) = run(seed);
    // FNV-1a: the same on every platform.
    let text = transcript.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}-{text:016x}")
}
