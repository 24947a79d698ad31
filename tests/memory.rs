//! A world that is dropped gives its memory back. A test binary of its own, since it counts what the whole process
//! holds.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use kubetab::world::{Input, Options, World};

/// Counts the bytes that the program holds.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is handed to the system's allocator as it came; only a counter is kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Boots a world, lets a student work in it, and drops it.
fn live(commands: &[&str]) {
    let world = World::new(&Options::default()).unwrap();
    for command in commands {
        let finished = world.input(Input::Exec((*command).into()));
        let end = world.sim().now() + Duration::from_secs(90);
        assert!(world.sim().run_future(finished, end).is_some(), "{command}");
    }
    // One that does not end with its world.
    drop(world.input(Input::Exec("kubectl get pods --watch".into())));
    drop(world.input(Input::Open));
    drop(world.input(Input::Begin(String::new())));
    world.sim().run_for(Duration::from_secs(60));
}

#[test]
fn a_dropped_world_is_freed() {
    let commands = [
        "kubectl create deployment web --image=nginx --replicas=3",
        "kubectl expose deployment web --port=80",
        "kubectl rollout status deployment web",
        "kubectl exec deploy/web -- hostname; kubectl get pods -A -o wide",
        "kubectl delete deployment web; sleep 5",
    ];
    // What is kept once a thread: interned keys, tables of types.
    live(&commands);
    let before = HELD.load(Ordering::Relaxed);
    for _ in 0..3 {
        live(&commands);
    }
    let lost = (HELD.load(Ordering::Relaxed) - before) / 3;
    assert!(lost < 1 << 10, "a world leaves {lost} bytes behind");
}
